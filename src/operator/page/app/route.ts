import { useEffect, useState } from 'preact/hooks';

/** The place in the page, from the part of the URL after #. */
export type Route = { readonly kind: 'overview' } | { readonly kind: 'tunnel'; readonly name: string };

function routeOf(hash: string): Route {
  const name = /^#\/tunnel\/(.+)$/.exec(hash)?.[1];
  if (name === undefined) return { kind: 'overview' };
  try {
    return { kind: 'tunnel', name: decodeURIComponent(name) };
  } catch {
    return { kind: 'overview' };
  }
}

/** The link to the page of a tunnel. */
export function linkTo(tunnel: string): string {
  return `#/tunnel/${encodeURIComponent(tunnel)}`;
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => {
      setHash(location.hash);
      scrollTo(0, 0);
    };
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return routeOf(hash);
}
