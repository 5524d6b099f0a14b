interface Idle {
  sizeBytes: number;
  giveBack(): void;
}

/**
 * The bytes that the models of a study may take together: layers that stay, the one in use, and activations. What is
 * in use always fits, as there is no doing without it; layers that wait for their next use make room, the one used
 * longest ago first. How large a layer may be that runs as a whole, and from when on activations go to a file, follows
 * from the budget: half and a quarter of it.
 */
export class MemoryBudget {
  private usedBytes = 0;
  private idleBytes = 0;
  /** least recently used first */
  private readonly idle = new Map<object, Idle>();

  /** @param keep false: a layer does not wait for its next use, it is read again */
  constructor(private limitBytes = Infinity, readonly keep = true) {}

  get bytes(): number {
    return this.limitBytes;
  }

  /** Takes effect at once. */
  set bytes(bytes: number) {
    this.limitBytes = bytes;
    this.makeRoom();
  }

  /** A layer larger than this runs with its experts read in groups. */
  get layerBytes(): number {
    return this.limitBytes / 2;
  }

  /**
   * Experts that are read together. While a group computes the next is read, and a number is there up to three times on
   * its way: as stored, as float32, and on the device.
   */
  get groupBytes(): number {
    return this.limitBytes / 8;
  }

  get activationBytes(): number {
    return this.limitBytes / 4;
  }

  /** Counts something that cannot be given back until `done`. */
  use(sizeBytes: number): void {
    this.usedBytes += sizeBytes;
    this.makeRoom();
  }

  done(sizeBytes: number): void {
    this.usedBytes -= sizeBytes;
  }

  /** Lets something wait for its next use; when its room is needed it is given back. */
  wait(key: object, sizeBytes: number, giveBack: () => void): void {
    this.idle.set(key, { sizeBytes, giveBack });
    this.idleBytes += sizeBytes;
    this.makeRoom();
  }

  /** Takes it out of those that wait. */
  resume(key: object): void {
    this.idleBytes -= this.idle.get(key)?.sizeBytes ?? 0;
    this.idle.delete(key);
  }

  private makeRoom(): void {
    for (const [key, { giveBack }] of this.idle) {
      if (this.keep && this.usedBytes + this.idleBytes <= this.limitBytes) return;
      this.resume(key);
      giveBack();
    }
  }
}
