const PAGE = 256, TAKEN = 0xffff;
/** A checkpoint of half a million names has some two thousand; names without any order would take a page each. */
const MAX_PAGES = 1 << 18;
/** keys of one kind have these as their highest bits: see `NameKinds` */
const KIND = 2 ** 40;
const RECENT = 64;

/**
 * Which shard each name is in, by its key (see `NameKinds`). Keys of neighbours are neighbours, so the table is made of
 * pages
 * of them: two bytes a name, where a Map of strings takes some two hundred.
 */
export class NameTable {
  /** by key / PAGE; a shard's number and one more, 0 for no name */
  private readonly pages = new Map<number, Uint16Array>();
  /** the page that was used last, by kind */
  private readonly recent = new Float64Array(RECENT).fill(-1);
  private readonly recentPages: Uint16Array[] = [];
  /** names that nobody took */
  left = 0;

  /** @returns false if the key is there already, or the names have no order */
  add(key: number, shard: number): boolean {
    const page = this.page(key, true);
    const at = key % PAGE;
    if (!page || page[at] !== 0) return false;
    page[at] = shard + 1;
    this.left++;
    return true;
  }

  /** Takes a key out. @returns false if it is not there, was taken before, or is in another shard */
  take(key: number, shard: number): boolean {
    const page = this.page(key, false);
    const at = key % PAGE;
    if (!page || page[at] !== shard + 1) return false;
    page[at] = TAKEN;
    this.left--;
    return true;
  }

  private page(key: number, make: boolean): Uint16Array | undefined {
    const number = Math.floor(key / PAGE), way = Math.floor(key / KIND) % RECENT;
    if (this.recent[way] === number) return this.recentPages[way];
    let page = this.pages.get(number);
    if (!page) {
      if (!make || this.pages.size === MAX_PAGES) return undefined;
      this.pages.set(number, page = new Uint16Array(PAGE));
    }
    this.recent[way] = number;
    this.recentPages[way] = page;
    return page;
  }
}
