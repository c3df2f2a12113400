/** Milliseconds since the epoch. */
export type Clock = () => number;

/** A new UUID. */
export type NewId = () => string;
