import { onceMore } from '../base/async/once-more.ts';
import { TunnelError } from '../base/errors.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, showProblem } from '../config/problem.ts';
import { connectSystemd } from '../machine/systemd/systemd.ts';
import { type CommandIo, EXIT, type ExitCode } from '../operator/commands/command.ts';
import { createLogger, type RootLogger } from '../telemetry/log/log.ts';
import { Daemon } from './daemon.ts';
import { releaseSignals } from './early-signals.ts';

/** After the stop, the process has this long to end by itself, in milliseconds. */
const LAST_WAIT_MS = 2_000;

export interface RunOptions {
  /** Path of the tunnel YAML. */
  readonly config: string;
  readonly version: string;
}

/**
 * `fleet-mesh run`: the daemon in the foreground, until SIGTERM or SIGINT. The first signal stops the daemon gracefully,
 * the second at once; SIGHUP reloads. Signals that arrived while the program was loaded count too.
 */
export async function run(options: RunOptions, io: CommandIo): Promise<ExitCode> {
  const stopping = new AbortController();
  const force = new AbortController();
  const onStop = () => (stopping.signal.aborted ? force : stopping).abort();
  let daemon: Daemon | undefined;
  let reloadAsked = false;
  // A storm of signals must not make a queue of reloads, nor fill the log and the evidence.
  const reload = onceMore(async () => daemon?.reload());
  const onReload = () => {
    reloadAsked = true;
    reload();
  };
  process.on('SIGTERM', onStop).on('SIGINT', onStop).on('SIGHUP', onReload);
  releaseSignals();
  try {
    const config = await loadConfig(options.config, process.env);
    const log = createLogger({ level: config.logLevel, format: config.logFormat });
    const started = new Daemon(
      { config, version: options.version },
      log,
      connectSystemd(process.env, process.pid, log),
    );
    try {
      await started.start();
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const { message, hint } = TunnelError.from(error);
      log.fatal({ event: 'daemon.start_failed', err: error }, `${message}. ${hint}`);
      endDespiteDisk(log);
      return EXIT.failed;
    }
    daemon = started;
    // A SIGHUP during the start may be about a change after the file was read.
    if (reloadAsked) await daemon.reload();
    await aborted(stopping.signal);
    await daemon.stop(force.signal);
    endDespiteDisk(log);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.problems.map(showProblem).join('\n')}\n`);
    return EXIT.configuration;
  } finally {
    process.off('SIGTERM', onStop).off('SIGINT', onStop).off('SIGHUP', onReload);
  }
}

/**
 * A call to a disk that hangs keeps a thread, and a process with such a thread does not exit: exit(3) waits for the thread.
 * Everything has been stopped by now, so the process ends itself.
 */
function endDespiteDisk(log: RootLogger): void {
  const timer = setTimeout(() => {
    const resources = process.getActiveResourcesInfo();
    log.error(
      { event: 'daemon.stuck', resources },
      'something keeps the process from its end, such as a disk that does not answer: the process is ended by SIGKILL',
    );
    process.kill(process.pid, 'SIGKILL');
  }, LAST_WAIT_MS);
  timer.unref();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
