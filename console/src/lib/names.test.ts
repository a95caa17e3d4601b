import { expect, it } from 'vitest';
import { nameParts, plainName } from './names';

it('leaves usual names alone', () => {
  expect(nameParts('<b>épreuve</b> بيانات 👩‍🔬.csv')).toEqual([{ text: '<b>épreuve</b> بيانات 👩‍🔬.csv' }]);
});

it('names what would change the look of a name', () => {
  expect(nameParts('evil\u202Egnp.exe')).toEqual([
    { text: 'evil' },
    { control: 'U+202E' },
    { text: 'gnp.exe' },
  ]);
  expect(plainName('evil\u202Egnp.exe')).toBe('evilU+202Egnp.exe');
  expect(nameParts('\u0007a\u200B')).toEqual([{ control: 'U+0007' }, { text: 'a' }, { control: 'U+200B' }]);
});
