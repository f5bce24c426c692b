// Strokes on paper. They are kept as lines, so that what is sent is drawn as the training images were: the paper of their size,
// the writing in its middle, the pen as thick as theirs.
// MNIST's digits fill a box of 20x20 within 28x28; a small drawing becomes at most so many times larger.
const BOX = 20 / 28, MOST_ENLARGED = 4;
class Drawing {
  constructor() {
    this.strokes = [];
  }
  get isEmpty() {
    return this.strokes.length === 0;
  }
  // Points are in shares of the paper's width, in both directions.
  begin(x, y) {
    this.strokes.push([[x, y]]);
  }
  extend(x, y) {
    this.strokes.at(-1).push([x, y]);
  }
  undo() {
    this.strokes.pop();
  }
  clear() {
    this.strokes = [];
  }
  paint(context, place, width, ink) {
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = width;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      const points = stroke.map(place);
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points) context.lineTo(...point);
      context.stroke();
    }
  }
  // The middle of the ink, weighted by the length of the lines, and the longest side of the box around it.
  middle() {
    const points = this.strokes.flat(), axes = [0, 1].map((axis) => points.map((point) => point[axis]));
    const [low, high] = [Math.min, Math.max].map((extreme) => axes.map((values) => values.reduce((a, b) => extreme(a, b))));
    let total = 0, sum = [0, 0];
    for (const stroke of this.strokes) {
      for (let k = 1; k < stroke.length; k++) {
        const [a, b] = [stroke[k - 1], stroke[k]], length = Math.hypot(b[0] - a[0], b[1] - a[1]);
        total += length;
        sum = sum.map((value, axis) => value + (length * (a[axis] + b[axis])) / 2);
      }
    }
    const centre = total ? sum.map((value) => value / total) : [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
    return { low, high, centre, side: Math.max(high[0] - low[0], high[1] - low[1]) };
  }
  // The image that is sent. `paper` is that of `paperOf`; photographs are sent as they are drawn.
  render(paper, pen, isBlack, isFramed) {
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    [canvas.width, canvas.height] = [paper.width, paper.height];
    context.fillStyle = isBlack ? "#000" : "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const least = Math.min(paper.area.width, paper.area.height), from = [paper.area.left, paper.area.top];
    let place = ([x, y]) => [from[0] + x * paper.area.width, from[1] + y * paper.area.width];
    if (isFramed && !this.isEmpty) {
      const { low, high, centre, side } = this.middle(), sides = [paper.area.width, paper.area.height];
      const scale = Math.min((BOX * least - pen * least) / Math.max(side, 1e-6), MOST_ENLARGED * paper.area.width);
      const edge = (pen * least) / 2;
      // The middle of the ink comes to the middle of the paper, unless the writing would leave it.
      const shift = centre.map((middle, axis) => {
        const wanted = sides[axis] / 2 - scale * middle;
        return Math.min(Math.max(wanted, edge - scale * low[axis]), sides[axis] - edge - scale * high[axis]);
      });
      place = ([x, y]) => [from[0] + shift[0] + scale * x, from[1] + shift[1] + scale * y];
    }
    this.paint(context, place, pen * least, isBlack ? "#fff" : "#000");
    return canvas;
  }
}
// The paper of a model: its size in pixels, and the area of it that the model looks at, which is what is drawn on.
function paperOf(model) {
  const [height, width] = model.stored_size && Math.min(...model.stored_size) >= 64 ? model.stored_size : [448, 448];
  const [top, left, bottom, right] = model.framing === "window" && model.window ? model.window : [0, 0, 1, 1];
  const area = { left: left * width, top: top * height, width: (right - left) * width, height: (bottom - top) * height };
  return { width, height, area };
}
