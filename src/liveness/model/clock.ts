/** Milliseconds since the epoch. */
export type Clock = () => number;

/** The latest time that can be stored, in milliseconds since the epoch: 13 digits, in the year 2286. */
export const latestTime = 9_999_999_999_999;

/** A new UUID. */
export type NewId = () => string;
