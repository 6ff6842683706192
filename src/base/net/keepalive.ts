/**
 * Socket options for connections that may be silent for hours. After two minutes of silence the kernel asks the peer, ten
 * times at intervals of a second (Node sets both). Without them a machine that vanishes keeps its connection open for ever.
 */
export const KEEPALIVE = { keepAlive: true, keepAliveInitialDelay: 120_000 } as const;
