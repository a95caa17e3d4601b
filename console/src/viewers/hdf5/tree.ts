import { Dataset, File, Group } from 'jsfive';
import { FormatError } from '../../file/error';
import { valueRows, type ValueRows } from './values';

/** A group or a dataset of an HDF5 file. */
export interface Hdf5Node {
  name: string;
  kind: 'group' | 'dataset' | 'unreadable';
  /** Of a dataset: `512 × 64, 32-bit float`. */
  shape: string;
  attributes: [string, string][];
  children: Hdf5Node[];
  /** Of a dataset whose values can be shown: unpacks them. It throws if they are packed in a way that jsfive does not know. */
  read: (() => ValueRows) | null;
}

const MOST_NODES = 5_000;
const DEEPEST = 32;
/** jsfive unpacks a dataset as a whole. */
const MOST_VALUES = 4_000_000;

/** The tree of a file. Its values are unpacked when somebody wants to see them. */
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
  if (object instanceof Dataset) return datasetNode(object, name);
  if (!object) return leaf(name, 'unreadable', 'a link to nothing, or outside of the file');
  const children: Hdf5Node[] = [];
  for (const key of depth < DEEPEST ? object.keys : []) {
    if (budget.left <= 0) break;
    children.push(childOf(object, key, depth + 1, budget));
  }
  return { ...leaf(name, 'group', ''), attributes: attributesOf(object), children };
}

function leaf(name: string, kind: Hdf5Node['kind'], shape: string): Hdf5Node {
  return { name, kind, shape, attributes: [], children: [], read: null };
}

function datasetNode(dataset: Dataset, name: string): Hdf5Node {
  const { shape } = dataset;
  const type = typeOf(dataset);
  const text = `${shape.length > 0 ? shape.join(' × ') : 'one value'}, ${type ?? 'of several parts'}`;
  const count = shape.reduce((product, length) => product * length, 1);
  const shown = type !== null && count > 0 && count <= MOST_VALUES;
  return {
    ...leaf(name, 'dataset', text),
    attributes: attributesOf(dataset),
    read: shown ? () => valueRows(dataset.value, shape, digitsOf(type)) : null,
  };
}

/** How many digits of a number mean something. */
function digitsOf(type: string): number {
  return type === '32-bit float' ? 7 : 15;
}

/** null: a type that jsfive does not know, such as a compound one. */
function typeOf(dataset: Dataset): string | null {
  try {
    return typeName(dataset.dtype);
  } catch {
    return null;
  }
}

function childOf(group: Group, key: string, depth: number, budget: { left: number }): Hdf5Node {
  try {
    return nodeOf(group.get(key), key, depth, budget);
  } catch (error) {
    return leaf(key, 'unreadable', error instanceof Error ? error.message : String(error));
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

// jsfive names types of HDF5 that NumPy has none of by lists.
const LISTED: Record<string, string> = {
  VLEN_STRING: 'text',
  VLEN_SEQUENCE: 'lists',
  REFERENCE: 'references',
};

const LETTERS: Record<string, string> = {
  f: 'float',
  i: 'integer',
  u: 'unsigned integer',
  S: 'text',
  U: 'text',
  b: 'boolean',
};

/** Of NumPy's letters: `<f4`. */
export function typeName(type: unknown): string {
  if (Array.isArray(type)) return LISTED[String(type[0])] ?? String(type[0]).toLowerCase();
  if (typeof type !== 'string') return 'an unknown type';
  const [, letter = '', bytes = ''] = /^[<>|=]?([a-zA-Z])(\d+)$/.exec(type) ?? [];
  const kind = LETTERS[letter];
  if (!kind) return type;
  return kind === 'text' ? `text of ${bytes}` : `${Number(bytes) * 8}-bit ${kind}`;
}
