import { render } from 'preact';
import { App } from './app';
import { followTheme } from './lib/theme';
import './styles/tokens.css';
import './styles/base.css';

followTheme();
const root = document.getElementById('app');
if (root) render(<App />, root);
