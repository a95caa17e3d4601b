/** How long the next letter may take to belong to the same word, in milliseconds. */
const PAUSE = 800;

/** Collects typed letters into a word: `name` is what a row starts with. */
export class TypeAhead {
  private word = '';
  private last = 0;

  /** The word with this key, or null if the key is no letter. A space belongs to a word, but starts none. */
  add(key: string, now: number): string | null {
    if (!/^.$/u.test(key)) return null;
    const word = now - this.last < PAUSE ? this.word : '';
    if (word === '' && key === ' ') return null;
    this.word = word + key.toLocaleLowerCase();
    this.last = now;
    return this.word;
  }

  /** Whether a word is being typed. */
  isTyping(now: number): boolean {
    return this.word !== '' && now - this.last < PAUSE;
  }
}

export function startsWith(name: string, word: string): boolean {
  return name.slice(0, word.length).toLocaleLowerCase() === word;
}
