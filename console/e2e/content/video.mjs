// A video as WebM: each of its pictures is a key frame of VP8, as WebP has it. Chromium draws and packs them.

/** Runs in a page: some pictures of noise with their number, as WebP in Base64. Noise makes them large. */
export async function drawPictures({ count, width, height }) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { alpha: false });
  const pictures = [];
  for (let number = 0; number < count; number += 1) {
    const noise = context.createImageData(width, height);
    for (let at = 0; at < noise.data.length; at += 1)
      noise.data[at] = at % 4 === 3 ? 255 : Math.random() * 255;
    context.putImageData(noise, 0, 0);
    context.fillStyle = `hsl(${number * 50} 80% 50%)`;
    context.fillRect(0, 0, width, height / 2);
    pictures.push(canvas.toDataURL('image/webp', 0.9).split(',')[1]);
  }
  return pictures;
}

/** A video of a picture a second, which are repeated (RFC 8794 and 9559: EBML and Matroska). */
export function webm(pictures, { seconds, width, height }) {
  const frames = pictures.map((picture) => keyFrame(Buffer.from(picture, 'base64')));
  const clusters = Array.from({ length: seconds }, (_, second) =>
    element(0x1f43b675, [
      number(0xe7, second * 1000),
      // A simple block: track 1, at the cluster's time, a key frame.
      element(0xa3, [Buffer.from([0x81, 0, 0, 0x80]), frames[second % frames.length]]),
    ]),
  );
  const info = element(0x1549a966, [number(0x2ad7b1, 1_000_000), float(0x4489, seconds * 1000)]);
  const picture = element(0xe0, [number(0xb0, width), number(0xba, height)]);
  const track = element(0xae, [
    number(0xd7, 1),
    number(0x73c5, 1),
    number(0x83, 1),
    text(0x86, 'V_VP8'),
    picture,
  ]);
  const head = Buffer.concat([info, element(0x1654ae6b, [track])]);
  const body = Buffer.concat([head, cues(clusters, head.length), ...clusters]);
  const ebml = element(0x1a45dfa3, [
    number(0x4286, 1),
    number(0x42f7, 1),
    number(0x42f2, 4),
    number(0x42f3, 8),
    text(0x4282, 'webm'),
    number(0x4287, 2),
    number(0x4285, 2),
  ]);
  return Buffer.concat([ebml, element(0x18538067, [body])]);
}

/** Where each cluster is. All numbers have the same width, so that the length is known before they are. */
function cues(clusters, headLength) {
  const make = (start) => {
    let position = start;
    const points = clusters.map((cluster, second) => {
      const place = element(0xb7, [number(0xf7, 1), number(0xf1, position)]);
      position += cluster.length;
      return element(0xbb, [number(0xb3, second * 1000), place]);
    });
    return element(0x1c53bb6b, points);
  };
  return make(headLength + make(0).length);
}

/** Of a file `RIFF … WEBP`: the content of its chunk `VP8 `. */
function keyFrame(webp) {
  for (let at = 12; at < webp.length;) {
    const length = webp.readUInt32LE(at + 4);
    if (webp.toString('latin1', at, at + 4) === 'VP8 ') return webp.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  throw new Error('The picture is not packed as VP8.');
}

function element(id, parts) {
  const content = Buffer.concat(parts);
  const hex = id.toString(16);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(content.length));
  length[0] = 0x01;
  return Buffer.concat([Buffer.from(hex, 'hex'), length, content]);
}

function number(id, value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return element(id, [bytes]);
}

function float(id, value) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return element(id, [bytes]);
}

function text(id, value) {
  return element(id, [Buffer.from(value)]);
}
