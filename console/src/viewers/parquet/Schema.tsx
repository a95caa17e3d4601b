import { formatBytes } from '../../lib/format';
import type { ParquetTable } from './table';

/** The columns of a Parquet file, and what they weigh. */
export function Schema({ table }: { table: ParquetTable }) {
  return (
    <div class="schema" tabIndex={0} role="region" aria-label="Schema">
      <table>
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Type</th>
            <th scope="col">Nulls</th>
            <th scope="col">Compression</th>
            <th scope="col" class="number">
              Bytes in the file
            </th>
          </tr>
        </thead>
        <tbody>
          {table.columns.map(({ name, type, nullable, codec, bytes }) => (
            <tr key={name}>
              <th scope="row">
                <bdi>{name}</bdi>
              </th>
              <td>{type}</td>
              <td>{nullable ? 'allowed' : 'none'}</td>
              <td>{codec}</td>
              <td class="number">{formatBytes(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
