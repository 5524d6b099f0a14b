/** Which shard each name is in, by its key (see `NameKinds`): 12 bytes a name, where a Map of strings takes some two hundred. */
export class NameTable {
  private keys: Float64Array;
  private shards: Int32Array;
  private size = 0;
  /** names that nobody took */
  left = 0;

  /** @param count names that are expected; more may come */
  constructor(count: number) {
    const places = 2 ** Math.ceil(Math.log2(2 * count + 1024));
    this.keys = new Float64Array(places).fill(EMPTY);
    this.shards = new Int32Array(places);
  }

  /** @returns false if the key is there already */
  add(key: number, shard: number): boolean {
    if (2 * this.size >= this.keys.length) this.grow();
    const at = this.find(key);
    if (this.keys[at] === key) return false;
    this.keys[at] = key;
    this.shards[at] = shard;
    this.size++;
    this.left++;
    return true;
  }

  /** Takes a key out. @returns false if it is not there, was taken before, or is in another shard */
  take(key: number, shard: number): boolean {
    const at = this.find(key);
    if (this.keys[at] !== key || this.shards[at] !== shard) return false;
    this.shards[at] = TAKEN;
    this.left--;
    return true;
  }

  /** Where the key is, or the free place where it belongs. */
  private find(key: number): number {
    const mask = this.keys.length - 1;
    let at = mixed(key) & mask;
    while (this.keys[at] !== EMPTY && this.keys[at] !== key) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { keys, shards } = this;
    this.keys = new Float64Array(4 * keys.length).fill(EMPTY);
    this.shards = new Int32Array(4 * keys.length);
    this.size = this.left = 0;
    for (let i = 0; i < keys.length; i++) if (keys[i] !== EMPTY) this.add(keys[i], shards[i]);
  }
}

const EMPTY = -1, TAKEN = -1;

/** 32 bits that all bits of a key have a part in. */
function mixed(key: number): number {
  let bits = (key | 0) ^ Math.imul(key / 4294967296, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  return bits ^ (bits >>> 13);
}
