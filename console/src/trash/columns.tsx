import type { TrashItem } from '../api/types';
import { Icon } from '../components/Icon';
import { Name } from '../components/Name';
import { Badge } from '../components/States';
import { countOf, formatBytes, formatDay, formatMoment, formatRelative } from '../lib/format';
import { isFolder, kindIcon } from '../lib/kinds';
import { plainName } from '../lib/names';
import type { Column } from '../tree/TreeTable';
import { outlookOf } from './outlook';

export const trashColumns: Column<TrashItem>[] = [
  { key: 'name', title: 'Name', render: (item) => <NameCell item={item} /> },
  { key: 'place', title: 'Was in', render: (item) => <Place path={item.path} /> },
  { key: 'size', title: 'Size', numeric: true, render: sizeText },
  {
    key: 'deleted',
    title: 'Deleted',
    render: (item) => <span title={formatMoment(item.deleted_at)}>{formatRelative(item.deleted_at)}</span>,
  },
  { key: 'outlook', title: 'Can come back', render: (item) => <Outlook item={item} /> },
];

function NameCell({ item }: { item: TrashItem }) {
  return (
    <>
      <Icon name={kindIcon(item)} />
      <span class="name-text" title={plainName(item.name)}>
        <Name name={item.name} />
        <span class="name-detail">{`${sizeText(item)} · deleted ${formatRelative(item.deleted_at)}`}</span>
      </span>
    </>
  );
}

/** Without its folder, a package was at the top of the dataset. */
function Place({ path }: { path: string[] }) {
  if (path.length === 0) return <>top of the dataset</>;
  return (
    <span title={path.join(' / ')}>
      {path.map((name, index) => (
        <span key={index}>
          {index > 0 && ' / '}
          <Name name={name} />
        </span>
      ))}
    </span>
  );
}

function sizeText(item: TrashItem): string {
  if (!isFolder(item)) return formatBytes(item.size);
  const count = item.children ?? 0;
  return item.more_children ? `${count}+ items` : countOf(count, 'item');
}

function Outlook({ item }: { item: TrashItem }) {
  const { text, tone, title } = outlookOf(item, formatDay);
  return tone === 'plain' ? (
    <span title={title}>{text}</span>
  ) : (
    <span title={title}>
      <Badge tone={tone}>{text}</Badge>
    </span>
  );
}
