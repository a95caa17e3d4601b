import { useMemo, useState } from 'preact/hooks';
import { EmptyState } from '../../components/States';
import { Icon } from '../../components/Icon';
import { countOf, formatCount } from '../../lib/format';
import type { ViewerProps } from '../types';
import { WholeFile } from '../WholeFile';
import { readTree, type Hdf5Node } from './tree';
import './Hdf5Viewer.css';

const FREE_BYTES = 5_000_000;
/** jsfive needs the file in memory. */
const MOST_BYTES = 200_000_000;

/** The groups and datasets of an HDF5 file. */
export default function Hdf5Viewer({ source, view }: ViewerProps) {
  if ((view.size ?? 0) > MOST_BYTES) {
    return (
      <EmptyState icon="file" title="Too large to be read whole">
        The tree of an HDF5 file is all over it. h5py reads it by ranges: see “Copy as”.
      </EmptyState>
    );
  }
  return (
    <WholeFile
      source={source}
      size={view.size}
      free={FREE_BYTES}
      name={view.name}
      parse={(bytes) => readTree(bytes.buffer, view.name)}
    >
      {(root) => (
        <div class="hdf5" tabIndex={0} role="region" aria-label={`Tree of ${view.name}`}>
          <Node node={root} depth={0} />
        </div>
      )}
    </WholeFile>
  );
}

/** The first values of a dataset. They are unpacked here, when it is opened. */
function Values({ node }: { node: Hdf5Node }) {
  const { content, error } = useMemo(() => unpack(node), [node]);
  if (error) return <p class="hdf5-note">Its values cannot be read here: {error}</p>;
  if (!content) return null;
  const { rows, more } = content;
  return (
    <div class="hdf5-values" tabIndex={0} role="region" aria-label={`The first values of ${node.name}`}>
      <table>
        <tbody>
          {rows.map(({ index, values }) => (
            <tr key={index}>
              <th scope="row">{index}</th>
              {values.map((value, column) => (
                <td key={column}>
                  <bdi>{value}</bdi>
                </td>
              ))}
              {more.columns > 0 && <td class="muted">{`and ${formatCount(more.columns)} more`}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {more.rows > 0 && <p class="hdf5-note">{`and ${countOf(more.rows, 'row')} more`}</p>}
    </div>
  );
}

function unpack({ read }: Hdf5Node) {
  try {
    return { content: read?.() ?? null, error: null };
  } catch (error) {
    // jsfive throws texts.
    return { content: null, error: error instanceof Error ? error.message : String(error) };
  }
}

function Node({ node, depth }: { node: Hdf5Node; depth: number }) {
  const [open, setOpen] = useState(depth < 2 && node.kind === 'group');
  const head = (
    <>
      <Icon name={node.kind === 'group' ? 'folder' : node.kind === 'dataset' ? 'array' : 'alert'} size={15} />
      <bdi>{node.name}</bdi> <span class="hdf5-shape">{node.shape}</span>
    </>
  );
  const attributes = node.attributes.map(([name, value]) => (
    <li key={`@${name}`} class="hdf5-attribute">
      <bdi>@{name}</bdi>: <bdi>{value}</bdi>
    </li>
  ));
  if (node.children.length + attributes.length === 0 && !node.read)
    return <div class="hdf5-leaf">{head}</div>;
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{head}</summary>
      {open && (
        <ul>
          {attributes}
          {node.read && (
            <li>
              <Values node={node} />
            </li>
          )}
          {node.children.map((child) => (
            <li key={child.name}>
              <Node node={child} depth={depth + 1} />
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}
