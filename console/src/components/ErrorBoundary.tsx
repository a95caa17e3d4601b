import { Component, type ComponentChildren } from 'preact';
import { ErrorState } from './States';

interface Props {
  /** Where the page is. Another place is another try. */
  location?: string;
  children: ComponentChildren;
}

/** Says what failed in place of a part of the page that throws. The other parts stay. */
export class ErrorBoundary extends Component<Props, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidCatch(error: unknown) {
    // To the browser's console, with its stack.
    reportError(error);
  }

  override componentDidUpdate({ location }: Props) {
    if (this.state.error && location !== this.props.location) this.retry();
  }

  retry = () => this.setState({ error: null });

  override render() {
    const { error } = this.state;
    return error ? <ErrorState error={error} retry={this.retry} /> : <>{this.props.children}</>;
  }
}
