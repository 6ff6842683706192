/** Largest window of a channel, in bytes (RFC 4254 section 5.2). */
export const MOST_WINDOW = 2 ** 32 - 1;

/** A smaller limit for the data of one packet, in bytes, would make thousands of packets of each piece. */
export const LEAST_PACKET = 256;
