// Colours of a heat map: from dark to light alike for every eye, after the map "viridis" of Matplotlib (CC0).

const stops = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
] as const;

/** @param share from 0 to 1 @returns red, green and blue */
export function heatColour(share: number): readonly [number, number, number] {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const mix = (channel: 0 | 1 | 2): number =>
    Math.round(stops[low]![channel] + (stops[low + 1]![channel] - stops[low]![channel]) * (place - low));
  return [mix(0), mix(1), mix(2)];
}

/** Where a number stands between two others; by powers of ten where `isLog`. */
export function shareOf(value: number, min: number, max: number, isLog: boolean): number {
  const [at, low, high] = isLog ? [Math.log(value), Math.log(min), Math.log(max)] : [value, min, max];
  return high > low ? (at - low) / (high - low) : 0.5;
}
