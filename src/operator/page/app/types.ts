import type { z } from 'zod';
import type { VerdictAnswer } from '../../../retirement/drain/answer.ts';
import type { Entry } from '../../../retirement/evidence/entry.ts';
import type { PlanView } from '../../../retirement/plan/view.ts';
import type { status, tunnelStatus } from '../../../telemetry/status/status.ts';
import type { HourAnswer, TunnelHourAnswer } from '../last-hour.ts';

/** The answers of the endpoint, as JSON: times are texts. */
export type Status = z.input<typeof status>;
export type Tunnel = z.input<typeof tunnelStatus>;
export type Link = Status['links'][number];
export type Session = Link['sessions'][number];
export type Verdict = VerdictAnswer;
export type Plan = PlanView;
export type Event = Entry;
export type Hour = HourAnswer;
export type TunnelHour = TunnelHourAnswer;
