/** How far from the screen something counts as on it, so that it is drawn when it comes there. */
const NEAR = '200px';

/** Tells whether an element is on the screen. @returns ends that */
export function watchView(element: Element, tell: (isInView: boolean) => void): () => void {
  const observer = new IntersectionObserver((entries) => tell(entries.at(-1)!.isIntersecting), {
    rootMargin: NEAR,
  });
  observer.observe(element);
  return () => observer.disconnect();
}
