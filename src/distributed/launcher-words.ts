// What mpirun itself says among the output of a job: that a rank has ended, in a frame of many lines. The job has told why, or the
// launcher says it in a sentence, so that these are left out; all else is passed on.

/** How a rank was ended that did not end by itself. */
export interface EndedRank {
  /** Where mpirun says which. */
  readonly rank: number | undefined;
  readonly host: string | undefined;
  readonly signal: number;
}

/** Open MPI's frames begin and end with this line. */
const dashes = /^-{60,}$/;
/** Of the frames that tell how a job has ended. */
const endings =
  /Primary job +terminated normally|detected that one or more processes exited with non-zero|MPI_ABORT was invoked|noticed that process rank|exited on signal|ORTE has lost communication|has exited improperly|exiting without calling "finalize"/;
/** Lines outside of frames; the last, where a shell to another machine began before its parent went on, is of no consequence. */
const openMpiLines =
  /Forwarding signal \d+ to job|^\[.*\] \d+ more process(?:es)? ha(?:s|ve) sent help message|orte_base_help_aggregate|plm:rsh: Warning: setpgid\(\S+ failed in parent/;

/** MPICH's frame, which comes on standard output, and the lines after it. */
export const frameBegin: RegExp = /\n?^={60,}$/m;
const mpichLines =
  /^= {3}(?:BAD TERMINATION|PID \d+ RUNNING AT|EXIT CODE:|CLEANING UP|YOU CAN IGNORE)|^YOUR APPLICATION TERMINATED WITH|^This typically refers to a problem with your application|^Please see the FAQ page for debugging|^(?:Abort\(\d+\) on node \d+ .*: )?application called MPI_Abort|^\[mpiexec@.*\] (?:Sending Ctrl-C|Press Ctrl-C|HYD|control_cb|main)|^\[proxy:/;

/** Takes what a job says line by line. */
export class LauncherWords {
  readonly #show: (line: string) => void;
  #frame: string[] | undefined;
  #host: string | undefined;
  #ended: EndedRank | undefined;
  #isConnectionLost = false;
  #lostHost: string | undefined;

  /** @param show gets the lines that are passed on */
  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  /** The first rank that a signal ended. */
  get ended(): EndedRank | undefined {
    return this.#ended;
  }

  /** Whether mpirun cannot reach a machine any more. */
  get isConnectionLost(): boolean {
    return this.#isConnectionLost;
  }

  /** That machine, where mpirun names it. */
  get lostHost(): string | undefined {
    return this.#lostHost;
  }

  take(line: string): void {
    this.#look(line);
    if (this.#frame) {
      this.#frame.push(line);
      if (dashes.test(line)) this.flush();
    } else if (dashes.test(line)) this.#frame = [line];
    else if (!openMpiLines.test(line) && !mpichLines.test(line) && !frameBegin.test(line)) this.#show(line);
  }

  /** Passes on a frame that has no end yet. */
  flush(): void {
    const frame = this.#frame ?? [];
    this.#frame = undefined;
    if (!endings.test(frame.join(' '))) frame.forEach(this.#show);
  }

  #look(line: string): void {
    if (
      /ORTE has lost communication|lost connection to|HYDT?_?.*(?:socket|connection) (?:closed|reset)/i.test(
        line,
      )
    )
      this.#isConnectionLost = true;
    this.#lostHost ??= /Remote daemon: \S+ on node (\S+)/.exec(line)?.[1];
    this.#host = /^= {3}PID \d+ RUNNING AT (\S+)/.exec(line)?.[1] ?? this.#host;
    const open = /process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+)/.exec(line);
    const mpich = /TERMINATED WITH THE EXIT STRING: .*\(signal (\d+)\)/.exec(line);
    if (open) this.#ended ??= { rank: Number(open[1]), host: open[2], signal: Number(open[3]) };
    if (mpich) this.#ended ??= { rank: undefined, host: this.#host, signal: Number(mpich[1]) };
  }
}
