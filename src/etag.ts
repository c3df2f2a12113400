/** Allowed values of `If-Match` and `If-None-Match`: one ETag, or `*`. Storage reads a comma as the end of a tag. */
export const conditionShape = /^(\*|(W\/)?"[\x21\x23-\x2b\x2d-\x7e]*")$/;
