import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

interface Process {
  pid: number;
  parent: number;
  group: number;
}

/**
 * The child processes that cells have started, and theirs: an interrupt reaches them as Ctrl-C in a terminal does.
 * One that was started `detached`, in a process group of its own, is left alone; so are those of other cells.
 */
export class Children {
  private readonly owners = new Map<number, number>();
  /** what was sent since the stop button was pressed, so that nothing is interrupted twice */
  private readonly sent = new Set<string>();

  /** @param self process id of the kernel */
  constructor(private readonly self = process.pid) {}

  /** A cell has started a process that it does not wait for; the synchronous ones are not told. */
  started(pid: number, key: number): void {
    this.owners.set(pid, key);
  }

  /** Sends each process of a cell, and each whose cell is not known, a signal, once until `forget`. */
  signal(key: number, signal: NodeJS.Signals, { synchronous = false } = {}): void {
    for (const { pid } of this.tree((each) => (synchronous ? undefined : key) === each || each === undefined)) {
      if (this.sent.has(`${pid} ${signal}`)) continue;
      this.sent.add(`${pid} ${signal}`);
      send(pid, signal);
    }
  }

  /** Whether a cell waits in a call such as execSync. */
  get someSynchronous(): boolean {
    return this.tree((owner) => owner === undefined).length > 0;
  }

  forget(): void {
    this.sent.clear();
  }

  /** The kernel ends, and what its cells have started with it. */
  end(): void {
    for (const { pid } of this.tree(() => true)) send(pid, "SIGTERM");
  }

  /** Chosen children of the kernel with all below them, children first. */
  private tree(isChosen: (owner: number | undefined) => boolean): Process[] {
    const all = processes();
    if (!all)
      return [...this.owners].filter(([, owner]) => isChosen(owner)).map(([pid]) => ({ pid, parent: 0, group: 0 }));
    const group = all.find(({ pid }) => pid === this.self)?.group;
    const below = (parent: number): Process[] => all.filter((each) => each.parent === parent && each.group === group);
    const pids = new Set(all.map(({ pid }) => pid));
    for (const pid of this.owners.keys()) if (!pids.has(pid)) this.owners.delete(pid);
    const found = below(this.self).filter(({ pid }) => isChosen(this.owners.get(pid)));
    for (const each of found) found.push(...below(each.pid));
    return found;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended meanwhile, or belongs to somebody else
  }
}

/** All processes; undefined on a system that lists them in another way (Windows). */
function processes(): Process[] | undefined {
  try {
    // pid (command) state parent group …
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
      const text = attempt(() => readFileSync(`/proc/${name}/stat`, "utf8")) ?? "";
      const [, parent, group] = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return text ? [{ pid: Number(name), parent: Number(parent), group: Number(group) }] : [];
    });
  } catch {
    const { stdout, pid: ps } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,pgid="], { encoding: "utf8" });
    return stdout?.trim().split("\n").map((line) => {
      const [pid, parent, group] = line.trim().split(/\s+/).map(Number) as [number, number, number];
      return { pid, parent, group };
    }).filter(({ pid }) => pid !== ps);
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
