import { HERE_ROWS } from './here-rows.ts';
import { SWITCH_ROWS } from './link-rows.ts';
import { NAME_ROWS } from './name-rows.ts';
import { OUTAGE_ROWS } from './outage-rows.ts';
import { PACKET_ROWS } from './packet-rows.ts';
import { REMOTE_ROWS } from './remote-rows.ts';
import type { FaultRow } from './row.ts';
import { ROLLING_ROW, SHOWN_ROWS } from './shown-rows.ts';
import { TARGET_ROWS } from './target-rows.ts';
import { WAY_ROWS } from './way-rows.ts';

/** Rows that run at once. Long rows come first. */
export const ROWS_AT_ONCE: readonly FaultRow[] = [
  ...SHOWN_ROWS,
  ...OUTAGE_ROWS,
  ...REMOTE_ROWS,
  ...WAY_ROWS,
  ...TARGET_ROWS,
  ...HERE_ROWS,
  ...NAME_ROWS,
];

/** Rows that run one after the other, because they measure the time of requests. */
export const ROWS_IN_TURN: readonly FaultRow[] = [...SWITCH_ROWS, ROLLING_ROW];

/** The whole matrix. */
export const ALL_ROWS: readonly FaultRow[] = [...ROWS_IN_TURN, ...ROWS_AT_ONCE, ...PACKET_ROWS];
