/** How far from the screen something counts as on it, so that it is drawn when it comes there. */
const NEAR = '200px';

/** Tells whether an element is on the screen, of a tab that is not hidden. @returns ends that */
export function watchView(element: Element, tell: (isInView: boolean) => void): () => void {
  let isNear = true;
  const tellNow = (): void => tell(isNear && document.visibilityState === 'visible');
  const observer = new IntersectionObserver(
    (entries) => {
      isNear = entries.at(-1)!.isIntersecting;
      tellNow();
    },
    { rootMargin: NEAR },
  );
  observer.observe(element);
  document.addEventListener('visibilitychange', tellNow);
  return () => {
    observer.disconnect();
    document.removeEventListener('visibilitychange', tellNow);
  };
}
