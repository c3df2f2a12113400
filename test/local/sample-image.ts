/**
 * A small BMP (12 KB) that the app and the emulator accept as a verify image. It shows a gradient; the real service would
 * find no face in it.
 */
export function makeSampleImage(): Uint8Array<ArrayBuffer> {
  const side = 64;
  const headerSize = 54;
  const image = new Uint8Array(headerSize + side * side * 3);
  const header = new DataView(image.buffer);
  image.set(Buffer.from("BM"));
  header.setUint32(2, image.length, true);
  header.setUint32(10, headerSize, true);
  header.setUint32(14, 40, true);
  header.setInt32(18, side, true);
  header.setInt32(22, side, true);
  header.setUint16(26, 1, true);
  header.setUint16(28, 24, true);
  header.setUint32(34, side * side * 3, true);
  for (let pixel = 0; pixel < side * side; pixel++) {
    image.set([(pixel % side) * 4, Math.floor(pixel / side) * 4, 128], headerSize + pixel * 3);
  }
  return image;
}
