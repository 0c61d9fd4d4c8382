// Rows whose length is no multiple of four: their last numbers go through the same instructions as all others, so that they have the same bits.

/** The first `left` of four numbers, zeros behind them. */
export function load4(from: usize, left: i32): v128 {
  if (left >= 4) return v128.load(from);
  let v = f32x4.splat(0);
  if (left > 0) v = f32x4.replace_lane(v, 0, load<f32>(from));
  if (left > 1) v = f32x4.replace_lane(v, 1, load<f32>(from, 4));
  if (left > 2) v = f32x4.replace_lane(v, 2, load<f32>(from, 8));
  return v;
}

export function store4(to: usize, v: v128, left: i32): void {
  if (left >= 4) {
    v128.store(to, v);
    return;
  }
  if (left > 0) store<f32>(to, f32x4.extract_lane(v, 0));
  if (left > 1) store<f32>(to, f32x4.extract_lane(v, 1), 4);
  if (left > 2) store<f32>(to, f32x4.extract_lane(v, 2), 8);
}

/** Zeros behind the first `count` lanes. */
export function firstLanes(v: v128, count: i32): v128 {
  let first = f32x4.splat(0);
  if (count > 0) first = f32x4.replace_lane(first, 0, f32x4.extract_lane(v, 0));
  if (count > 1) first = f32x4.replace_lane(first, 1, f32x4.extract_lane(v, 1));
  if (count > 2) first = f32x4.replace_lane(first, 2, f32x4.extract_lane(v, 2));
  return first;
}

/** Of the four lanes, in one order. */
export function sumLanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** NaN where one of them is. */
export function maxLanes(v: v128): f32 {
  return max<f32>(
    max<f32>(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max<f32>(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}
