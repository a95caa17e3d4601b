import DOMPurify from 'dompurify';
import { Marked } from 'marked';

const TAGS = (
  'h1 h2 h3 h4 h5 h6 p br hr blockquote ul ol li pre code em strong del s sub sup kbd mark dl dt dd ' +
  'table thead tbody tr th td a img details summary span div'
).split(' ');

const reader = new Marked({ gfm: true, renderer: { html: ({ text }) => withoutReported(text) } });

/**
 * Removes styles and inline handlers. The browser applies the page's policy even to the document that the sanitizer works in, and would
 * report them there. The sanitizer still decides what is safe.
 */
function withoutReported(html: string): string {
  return withoutStyles(html)
    .replace(/<\/?(?:style|base|meta|link)\b[^<>]*>/gi, '')
    .replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(ATTRIBUTE, keepUnreported));
}

/** A style ends at its first end tag, or with the text. Split, because one expression would search for the end again from each start. */
function withoutStyles(html: string): string {
  const [before, ...styles] = html.split(/<style\b/i);
  const rests = styles.map((style) => style.replace(/^[^]*?(?:<\/style\s*>|$)/i, ''));
  return [before, ...rests].join('');
}

// A name begins where none is before it: otherwise a long name would be read once for each of its characters.
const ATTRIBUTE = /(?<![^\s"'<>/=])([^\s"'<>/=]+)\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)/g;

function keepUnreported(attribute: string, name: string): string {
  return /^(?:style$|on)/i.test(name) ? '' : attribute;
}

/**
 * Markdown as nodes of a page. Tags and attributes are those of a list: no ids (they would shadow names of scripts), styles, forms
 * or frames. Nothing is loaded: a picture becomes its text, a link opens in a tab that knows nothing of this one.
 */
export function renderMarkdown(text: string): DocumentFragment {
  const html = reader.parse(text, { async: false });
  const fragment = DOMPurify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ['href', 'alt', 'src', 'align', 'start', 'open', 'title', 'lang', 'dir'],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
  fragment.querySelectorAll('img').forEach(replacePicture);
  fragment.querySelectorAll('a').forEach(secureLink);
  // The page has its own first heading: those of the text come beneath it.
  fragment.querySelectorAll('h1, h2, h3, h4, h5, h6').forEach(lowerHeading);
  return fragment;
}

function lowerHeading(heading: Element): void {
  const level = Math.min(Number(heading.tagName[1]) + 1, 6);
  const lower = document.createElement(`h${level}`);
  lower.className = `markdown-${heading.tagName.toLowerCase()}`;
  lower.append(...heading.childNodes);
  heading.replaceWith(lower);
}

function replacePicture(image: HTMLImageElement): void {
  const note = document.createElement('span');
  note.className = 'markdown-picture';
  note.textContent = `Picture: ${image.getAttribute('alt') ?? ''} (${image.getAttribute('src') ?? ''})`;
  image.replaceWith(note);
}

function secureLink(link: HTMLAnchorElement): void {
  const target = link.getAttribute('href') ?? '';
  // Links to other files of the folder lead nowhere here.
  if (!/^(https?:|mailto:)/i.test(target)) {
    link.removeAttribute('href');
    return;
  }
  link.target = '_blank';
  link.rel = 'noopener noreferrer nofollow';
  link.referrerPolicy = 'no-referrer';
}
