// Images made larger by repeating each pixel, and the gradient, which sums the repeats: src/ops/upsample-nearest.ts.

/** x [images, H, W] -> y [images, H factor, W factor] */
export function upsampleNearest(images: i32, H: i32, W: i32, factor: i32, x: usize, y: usize): void {
  const rowBytes = (W * factor) << 2;
  for (let row = 0; row < images * H; row++) {
    let to = y;
    for (let j = 0; j < W; j++) {
      const pixel = load<f32>(x + (j << 2));
      for (let i = 0; i < factor; i++) {
        store<f32>(to, pixel);
        to += 4;
      }
    }
    for (let i = 1; i < factor; i++) memory.copy(y + i * rowBytes, y, rowBytes);
    x += W << 2;
    y += factor * rowBytes;
  }
}

/** dy [images, H factor, W factor] -> dx [images, H, W] */
export function upsampleNearestGrad(images: i32, H: i32, W: i32, factor: i32, dy: usize, dx: usize): void {
  const rowBytes = (W * factor) << 2;
  for (let row = 0; row < images * H; row++) {
    for (let j = 0; j < W; j++) {
      let total: f64 = 0;
      for (let down = 0; down < factor; down++) {
        const from = dy + down * rowBytes + ((j * factor) << 2);
        for (let i = 0; i < factor; i++) total += load<f32>(from + (i << 2)) as f64;
      }
      store<f32>(dx + (j << 2), total as f32);
    }
    dy += factor * rowBytes;
    dx += W << 2;
  }
}
