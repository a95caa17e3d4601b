declare module 'jsfive' {
  export class Group {
    name: string;
    keys: string[];
    attrs: Record<string, unknown>;
    get(name: string): Group | Dataset | null;
  }
  export class Dataset {
    name: string;
    shape: number[];
    dtype: unknown;
    /** In C order. It is unpacked at each call. */
    value: ArrayLike<unknown>;
    attrs: Record<string, unknown>;
  }
  export class File extends Group {
    constructor(content: ArrayBuffer, name?: string);
  }
}
