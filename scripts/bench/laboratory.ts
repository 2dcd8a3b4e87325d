import { setTimeout as sleep } from "node:timers/promises";
import { KeySets } from "./key_sets.ts";
import { startLoad } from "./load.ts";
import { opensslSpeed } from "./openssl.ts";
import type { Workplace } from "./processes.ts";
import { MeasuredServer } from "./server.ts";
import type {
  BenchLoad,
  Check,
  Effort,
  FigureName,
  FigureOf,
  Figures,
  Measurement,
  OpensslLoad,
  Run,
  ServerSpec,
} from "./types.ts";

/** What came of a measurement. */
export interface Outcome {
  readonly measurement: Measurement;
  readonly rows: readonly OutcomeRow[];
  readonly checks: readonly Check[];
  /** Why there are none of both. */
  readonly failure: string | undefined;
}

export interface OutcomeRow {
  readonly name: string;
  /** The median of each figure. */
  readonly figures: Figures;
  readonly rounds: readonly Figures[];
}

export interface LaboratoryOptions extends Effort {
  /** Told what goes on. */
  readonly onRun: (text: string) => void;
}

/** Starts servers and loads as the tables say, and takes figures. */
export class Laboratory {
  readonly #workplace: Workplace;
  readonly #options: LaboratoryOptions;
  readonly #keySets: KeySets;
  readonly #servers = new Map<string, MeasuredServer>();

  constructor(workplace: Workplace, options: LaboratoryOptions) {
    this.#workplace = workplace;
    this.#options = options;
    this.#keySets = new KeySets(workplace);
  }

  /** Does all runs of a measurement in turn, round by round; its servers live as long as it takes. */
  async measure(measurement: Measurement): Promise<Outcome> {
    try {
      const rows = await this.#takeRounds(measurement);
      const checks = measurement.checks(figureOf(rows));
      return { measurement, rows, checks, failure: undefined };
    } catch (thrown) {
      const failure = thrown instanceof Error ? thrown.message.trim() : String(thrown);
      this.#options.onRun(`${measurement.name} failed: ${failure}`);
      return { measurement, rows: [], checks: [], failure };
    } finally {
      await this.#stopServers();
    }
  }

  async #takeRounds({ name, runs }: Measurement): Promise<readonly OutcomeRow[]> {
    const { rounds, onRun } = this.#options;
    const taken = new Map<string, Figures[]>();
    for (let round = 1; round <= rounds; round++) {
      for (const run of runs) {
        onRun(`${name}, round ${round} of ${rounds}: ${Object.keys(run).join("; ")}`);
        for (const [load, figures] of Object.entries(await this.#do(run))) {
          taken.set(load, [...taken.get(load) ?? [], figures]);
        }
      }
    }
    return [...taken].map(([name, rounds]) => ({ name, figures: medians(rounds), rounds }));
  }

  async #do(run: Run): Promise<Readonly<Record<string, Figures>>> {
    const [[name, load], ...beside] = Object.entries(run) as [[string, BenchLoad | OpensslLoad]];
    if ("openssl" in load) {
      return { [name]: await opensslSpeed(this.#workplace, load, this.#options.seconds) };
    }
    const server = await this.#server(load.server ?? {});
    return await this.#load(server, name, load, beside as readonly [string, BenchLoad][]);
  }

  /** The loads beside the first begin before it, and go on until it has ended. */
  async #load(
    server: MeasuredServer,
    name: string,
    load: BenchLoad,
    beside: readonly (readonly [string, BenchLoad])[],
  ): Promise<Readonly<Record<string, Figures>>> {
    const { seconds, warmup } = this.#options;
    await server.begin();
    const others = beside.map(([, other]) =>
      startLoad(this.#workplace, server, other, { warmup: LEAD_SECONDS + warmup, measured: 3_600 })
    );
    if (others.length > 0) await sleep(LEAD_SECONDS * 1_000);
    const first = startLoad(this.#workplace, server, load, { warmup, measured: seconds });
    const { figures, fromMs, toMs, answered } = await first.ended;
    for (const other of others) other.stop();
    const isAlone = others.length === 0 && load.watched === undefined;
    const cpu = isAlone ? { cpuMicroseconds: server.cpuBetween(fromMs, toMs) / answered } : {};
    const ended = await Promise.all(others.map((other) => other.ended));
    const ofServer = await server.end();
    return {
      [name]: { ...figures, ...cpu, ...ofServer },
      ...Object.fromEntries(beside.map(([other], at) => [other, ended[at]!.figures])),
    };
  }

  async #server(spec: ServerSpec): Promise<MeasuredServer> {
    const key = JSON.stringify(spec);
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const directory = await this.#keySets.directory(spec.keys ?? "few");
    const server = await MeasuredServer.start(this.#workplace, directory, spec);
    this.#servers.set(key, server);
    return server;
  }

  async #stopServers(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
    this.#servers.clear();
  }
}

const LEAD_SECONDS = 0.5;

function medians(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0]!) as FigureName[];
  return Object.fromEntries(names.map((name) => {
    const sorted = rounds.flatMap((round) => round[name] ?? []).sort((a, b) => a - b);
    const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1];
    return [name, (sorted[low]! + sorted[high]!) / 2];
  }));
}

function figureOf(rows: readonly OutcomeRow[]): FigureOf {
  return (load, figure) => {
    const value = rows.find(({ name }) => name === load)?.figures[figure];
    if (value === undefined) throw new Error(`"${load}" has no figure ${figure}`);
    return value;
  };
}
