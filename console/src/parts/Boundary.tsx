import { QueryErrorResetBoundary } from '@tanstack/react-query';
import { Component, type ReactNode } from 'react';
import { ErrorBox } from './States';

interface Props {
  children: ReactNode;
  onReset?: (() => void) | undefined;
}

class Catch extends Component<Props, { error: unknown }> {
  override state = { error: undefined as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    const again = () => {
      this.props.onReset?.();
      this.setState({ error: undefined });
    };
    return <ErrorBox error={this.state.error} onRetry={again} />;
  }
}

/** What fails within is told here, and nothing around it is touched. */
export function Boundary({ children }: { children: ReactNode }) {
  return <QueryErrorResetBoundary>{({ reset }) => <Catch onReset={reset}>{children}</Catch>}</QueryErrorResetBoundary>;
}
