/** Work that is done once while nobody asks, one step at a time: a question waits for one step at most. */
export class IdleWork {
  private readonly steps = new Set<() => void>();
  private timer?: NodeJS.Timeout;

  /** @param idleMs so long after the last question nobody is taken to be asking */
  constructor(private readonly idleMs: number) {}

  add(...steps: (() => void)[]): void {
    for (const step of steps) this.steps.add(step);
    this.postpone();
  }

  /** Somebody has asked. */
  postpone(): void {
    clearTimeout(this.timer);
    if (this.steps.size > 0) this.timer = setTimeout(() => this.work(), this.idleMs).unref();
  }

  private work(): void {
    const [step] = this.steps;
    this.steps.delete(step!);
    step!();
    // questions that came meanwhile are answered first
    if (this.steps.size > 0) this.timer = setTimeout(() => this.work()).unref();
  }
}
