import { expect, it } from 'vitest';
import { startsWith, TypeAhead } from './typeahead';

it('collects letters into a word until a pause', () => {
  const typed = new TypeAhead();
  expect(typed.add('T', 1000)).toBe('t');
  expect(typed.add('r', 1500)).toBe('tr');
  expect(typed.add(' ', 2000)).toBe('tr ');
  expect(typed.isTyping(2100)).toBe(true);
  expect(typed.add('x', 4000)).toBe('x');
});

it('is not started by a space, nor by other keys', () => {
  const typed = new TypeAhead();
  expect(typed.add(' ', 1000)).toBeNull();
  expect(typed.add('Enter', 1000)).toBeNull();
  expect(typed.isTyping(1001)).toBe(false);
});

it('compares without case', () => {
  expect(startsWith('Éprouvette.csv', 'épr')).toBe(true);
  expect(startsWith('a', 'ab')).toBe(false);
});
