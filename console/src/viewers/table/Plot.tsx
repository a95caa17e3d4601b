import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { theme } from '../../lib/theme';
import { decimate, formatNumber, formatTime, histogramOf, type ColumnValues, type Summary } from './stats';
import './Plot.css';

export interface PlotProps {
  title: string;
  values: ColumnValues & { numbers: Float64Array };
  summary: Summary;
  form: 'histogram' | 'line';
}

const HEIGHT = 210;
const POINTS = 4_000;

/** A histogram of numbers, or a line of them in their order. */
export default function Plot({ title, values, summary, form }: PlotProps) {
  const element = useRef<HTMLDivElement>(null);
  // Canvases do not follow custom properties by themselves.
  const colours = theme.value;
  useEffect(() => {
    const box = element.current;
    if (!box) return;
    const style = getComputedStyle(box);
    const paint = { text: style.color, line: resolve(box, '--series-1'), rule: resolve(box, '--border') };
    const { options, data } = form === 'histogram' ? histogram(values, summary, paint) : line(values, paint);
    const plot = new uPlot({ ...options, width: box.clientWidth, height: HEIGHT }, data, box);
    const observer = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: HEIGHT }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [values, summary, form, colours]);
  return (
    <div ref={element} class="plot" role="img" aria-label={describe({ title, values, summary, form })} />
  );
}

function describe({ title, values, summary, form }: PlotProps): string {
  const show = values.times ? formatTime : formatNumber;
  const range = `from ${show(summary.min)} to ${show(summary.max)}, median ${show(summary.median)}`;
  return `${form === 'histogram' ? 'Histogram' : 'Line'} of ${title}: ${summary.count} values ${range}`;
}

/** A colour as canvases take it: they do not know `light-dark()` in custom properties. */
function resolve(element: HTMLElement, property: string): string {
  const probe = element.ownerDocument.createElement('span');
  probe.style.color = `var(${property})`;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

interface Paint {
  text: string;
  line: string;
  rule: string;
}

type Drawn = { options: Omit<uPlot.Options, 'width' | 'height'>; data: uPlot.AlignedData };

const FONT = '12px "Source Sans", system-ui, sans-serif';

function axes(paint: Paint): [uPlot.Axis, uPlot.Axis] {
  const axis = {
    stroke: paint.text,
    font: FONT,
    grid: { stroke: paint.rule, width: 1 },
    ticks: { stroke: paint.rule, size: 4 },
  };
  return [
    { ...axis, size: 30, space: 70 },
    { ...axis, size: 56, space: 34, values: (_, ticks) => ticks.map((tick) => formatNumber(tick)) },
  ];
}

function histogram(values: PlotProps['values'], summary: Summary, paint: Paint): Drawn {
  const { edges, counts, width } = histogramOf(values.numbers, summary);
  const scale = values.times ? 1000 : 1;
  const [x, y] = axes(paint);
  if (!values.times) x.values = (_, ticks) => ticks.map((tick) => formatNumber(tick));
  const bars = uPlot.paths.bars?.({ size: [0.94, 100], align: 1 });
  const first = edges[0] ?? 0;
  return {
    options: {
      axes: [x, y],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: values.times, range: [first / scale, ((edges.at(-1) ?? 0) + width) / scale] },
        y: { range: (_, __, most) => [0, most * 1.05] },
      },
      series: [
        {},
        {
          label: 'values',
          fill: paint.line,
          stroke: paint.line,
          width: 0,
          ...(bars && { paths: bars }),
          points: { show: false },
        },
      ],
    },
    data: [edges.map((edge) => edge / scale), counts],
  };
}

function line(values: PlotProps['values'], paint: Paint): Drawn {
  const { x, y } = decimate(values.numbers, POINTS);
  const [horizontal, vertical] = axes(paint);
  horizontal.values = (_, ticks) => ticks.map((tick) => formatNumber(tick + 1));
  if (values.times) vertical.values = (_, ticks) => ticks.map((tick) => formatTime(tick).slice(11, 19));
  return {
    options: {
      axes: [horizontal, vertical],
      legend: { show: false },
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false } },
      series: [{}, { label: 'value', stroke: paint.line, width: 1, points: { show: x.length < 60 } }],
    },
    data: [x, y],
  };
}
