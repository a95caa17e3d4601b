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
    attrs: Record<string, unknown>;
  }
  export class File extends Group {
    constructor(content: ArrayBuffer, name?: string);
  }
}
