import { type Route, parseRoute } from './route.ts';

class Router {
  route: Route = $state.raw(parseRoute(location.hash));
}

/** Where the reader is. */
export const router: Router = new Router();

export function startRouter(): void {
  const follow = (): void => {
    router.route = parseRoute(location.hash);
  };
  addEventListener('hashchange', follow);
  follow();
}
