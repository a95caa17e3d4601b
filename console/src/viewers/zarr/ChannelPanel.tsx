import { Button } from '../../components/Button';
import { formatNumber } from '../table/stats';
import { measure, type Channel } from './channels';
import type { Position, ZarrImage } from './image';

/** Of a contrast slider */
const STEPS = 500;

interface ChannelPanelProps {
  image: ZarrImage;
  channels: Channel[];
  defaults: Channel[];
  position: Position;
  onChannels: (channels: Channel[]) => void;
  onPosition: (position: Position) => void;
}

/** Which channels are shown, how, and where in a stack or in time. */
export function ChannelPanel({
  image,
  channels,
  defaults,
  position,
  onChannels,
  onPosition,
}: ChannelPanelProps) {
  const change = (index: number, part: Partial<Channel>) =>
    onChannels(channels.map((channel, other) => (other === index ? { ...channel, ...part } : channel)));
  return (
    <section class="channels" aria-label="Channels">
      {image.sliders.map(({ name, length }) => (
        <label key={name} class="slider">
          <span>
            {name.toUpperCase()} {(position[name] ?? 0) + 1} of {length}
          </span>
          <input
            type="range"
            min={0}
            max={length - 1}
            value={position[name] ?? 0}
            onInput={(event) => onPosition({ ...position, [name]: Number(event.currentTarget.value) })}
          />
        </label>
      ))}
      {channels.map((channel, index) => (
        <ChannelRow
          key={index}
          channel={channel}
          onChange={(part) => change(index, part)}
          onAuto={() => void measure(image, index, position).then((contrast) => change(index, contrast))}
        />
      ))}
      {channels !== defaults && (
        <Button small look="quiet" icon="history" onClick={() => onChannels(defaults)}>
          As the file has it
        </Button>
      )}
    </section>
  );
}

function ChannelRow(props: {
  channel: Channel;
  onChange: (part: Partial<Channel>) => void;
  onAuto: () => void;
}) {
  const { channel, onChange, onAuto } = props;
  const { label, colour, active, start, end, least, most } = channel;
  const step = (most - least) / STEPS;
  return (
    <fieldset class="channel">
      <legend class="visually-hidden">
        <bdi>{label}</bdi>
      </legend>
      <div class="channel-head">
        <label>
          <input
            type="checkbox"
            checked={active}
            onChange={(event) => onChange({ active: event.currentTarget.checked })}
          />
          <bdi>{label}</bdi>
        </label>
        <input
          type="color"
          value={colour}
          aria-label={`Colour of ${label}`}
          title="Colour"
          onInput={(event) => onChange({ colour: event.currentTarget.value })}
        />
        <button type="button" class="text-button" onClick={onAuto} aria-label={`Auto contrast of ${label}`}>
          Auto
        </button>
      </div>
      <Contrast
        text="Black at"
        value={start}
        channel={channel}
        onValue={(value) => onChange({ start: Math.min(value, end - step) })}
      />
      <Contrast
        text="Full at"
        value={end}
        channel={channel}
        onValue={(value) => onChange({ end: Math.max(value, start + step) })}
      />
    </fieldset>
  );
}

interface ContrastProps {
  text: string;
  value: number;
  channel: Channel;
  onValue: (value: number) => void;
}

function Contrast({ text, value, channel: { least, most }, onValue }: ContrastProps) {
  return (
    <label class="slider">
      <span>
        {text} {formatNumber(value)}
      </span>
      <input
        type="range"
        min={least}
        max={most}
        step={(most - least) / STEPS}
        value={value}
        onInput={(event) => onValue(Number(event.currentTarget.value))}
      />
    </label>
  );
}
