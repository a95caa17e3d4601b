import { Dataset, File, Group } from 'jsfive';
import { FormatError } from '../../file/error';

/** A group or a dataset of an HDF5 file. */
export interface Hdf5Node {
  name: string;
  kind: 'group' | 'dataset' | 'unreadable';
  /** Of a dataset: `512 × 64, 32-bit float`. */
  shape: string;
  attributes: [string, string][];
  children: Hdf5Node[];
}

const MOST_NODES = 5_000;
const DEEPEST = 32;

/** The tree of a file. Its data are not decoded. */
export function readTree(content: ArrayBuffer, name: string): Hdf5Node {
  const budget = { left: MOST_NODES };
  try {
    return nodeOf(new File(content, name), '/', 0, budget);
  } catch (error) {
    // jsfive throws texts.
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`This HDF5 file cannot be read here: ${reason}`);
  }
}

function nodeOf(
  object: Group | Dataset | null,
  name: string,
  depth: number,
  budget: { left: number },
): Hdf5Node {
  budget.left -= 1;
  if (object instanceof Dataset) {
    const shape = `${object.shape.length > 0 ? object.shape.join(' × ') : 'one value'}, ${typeName(object.dtype)}`;
    return { name, kind: 'dataset', shape, attributes: attributesOf(object), children: [] };
  }
  if (!object)
    return {
      name,
      kind: 'unreadable',
      shape: 'a link to nothing, or outside of the file',
      attributes: [],
      children: [],
    };
  const children: Hdf5Node[] = [];
  for (const key of depth < DEEPEST ? object.keys : []) {
    if (budget.left <= 0) break;
    children.push(childOf(object, key, depth + 1, budget));
  }
  return { name, kind: 'group', shape: '', attributes: attributesOf(object), children };
}

function childOf(group: Group, key: string, depth: number, budget: { left: number }): Hdf5Node {
  try {
    return nodeOf(group.get(key), key, depth, budget);
  } catch (error) {
    const shape = error instanceof Error ? error.message : String(error);
    return { name: key, kind: 'unreadable', shape, attributes: [], children: [] };
  }
}

function attributesOf(object: Group | Dataset): [string, string][] {
  try {
    return Object.entries(object.attrs).map(([name, value]) => [name, attributeText(value)]);
  } catch {
    return [];
  }
}

function attributeText(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return (text as string | undefined)?.slice(0, 300) ?? '';
}

/** Of NumPy's letters: `<f4`. Compound types are lists. */
export function typeName(type: unknown): string {
  if (typeof type !== 'string')
    return Array.isArray(type) ? String(type[0] ?? 'compound').toLowerCase() : 'compound';
  const found = /^[<>|=]?([a-zA-Z])(\d+)$/.exec(type);
  if (!found) return type;
  const kinds: Record<string, string> = {
    f: 'float',
    i: 'integer',
    u: 'unsigned integer',
    S: 'text',
    U: 'text',
    b: 'boolean',
  };
  const kind = kinds[found[1] ?? ''];
  if (!kind) return type;
  return kind === 'text' ? `text of ${found[2]}` : `${Number(found[2]) * 8}-bit ${kind}`;
}
