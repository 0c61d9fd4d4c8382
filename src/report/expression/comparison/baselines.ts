// Cells that are made without a network, to hold against those of one: what is no better than they are is not worth training.
import { philoxNormal } from '../../../tensor/philox.ts';
import { streams } from '../../../tensor/random-streams.ts';
import { epochOrder } from '../../../data/sampler.ts';
import { type Projection, fitProjection, project } from '../../../data/expression/principal-components.ts';
import { type CellSet, countLabels, ofClass } from '../../../data/expression/cell-set.ts';
import { momentsOf } from './gene-statistics.ts';

const SEED = 0;

/**
 * As many cells as `cells` has of each class, drawn from a Gaussian of each class: the class's mean and covariance along the
 * principal components of all cells, and beside that independent noise for each gene, of what its variance has beyond that.
 */
export function gaussianCells(cells: CellSet, genes: number, classes: number, components: number): CellSet {
  const projection = fitProjection(cells.values, genes, components);
  const width = projection.components.length;
  const drawn = countLabels(cells.labels, classes);
  const made = new Float32Array(cells.values.length);
  const labels: number[] = [];
  drawn.forEach((count, label) => {
    if (count === 0) return;
    const ownCells = ofClass(cells, genes, label).values;
    const places = project(ownCells, projection);
    const mean = meanOfRows(places, width);
    const own = momentsOf({ values: ownCells }, genes);
    const along = momentsOf({ values: alongComponents(places, projection) }, genes);
    const rest = own.variance.map((variance, gene) =>
      Math.sqrt(Math.max(0, variance - along.variance[gene]!)),
    );
    for (let cell = 0; cell < count; cell++) {
      const at = labels.length;
      const draw = { seed: SEED, stream: streams.comparison, firstSample: at, samples: 1 };
      // Weights on the cells of the class give the class's covariance without a matrix of it (none is singular then).
      const weights = philoxNormal({ ...draw, step: 0, elements: count });
      const noise = philoxNormal({ ...draw, step: 1, elements: genes });
      const place = mean.map((middle, axis) => {
        const spread = weights.reduce((sum, w, n) => sum + w * (places[n * width + axis]! - middle), 0);
        return middle + spread / Math.sqrt(Math.max(1, count - 1));
      });
      for (let gene = 0; gene < genes; gene++) {
        let value = own.mean[gene]! - along.mean[gene]! + noise[gene]! * rest[gene]!;
        for (let axis = 0; axis < width; axis++) value += place[axis]! * projection.components[axis]![gene]!;
        made[at * genes + gene] = value;
      }
      labels.push(label);
    }
  });
  return { values: made, labels };
}

/** The same cells with each gene's values dealt anew among the cells of a class: every gene is right, no cell is. */
export function shuffledCells({ values, labels }: CellSet, genes: number, classes: number): CellSet {
  const shuffled = new Float32Array(values.length);
  for (let label = 0; label < classes; label++) {
    const cells = Array.from(labels, (_, cell) => cell).filter((cell) => labels[cell] === label);
    for (let gene = 0; gene < genes; gene++) {
      const order = epochOrder(cells.length, SEED, gene, streams.comparison);
      cells.forEach((cell, i) => (shuffled[cell * genes + gene] = values[cells[order[i]!]! * genes + gene]!));
    }
  }
  return { values: shuffled, labels };
}

/** The part of cells that lies along the components. @param places [N, K] @returns [N, G] */
function alongComponents(places: Float64Array, { components, mean }: Projection): Float32Array {
  const [width, genes] = [components.length, mean.length];
  const part = new Float32Array((places.length / width) * genes);
  for (let i = 0; i < part.length; i++) {
    const [cell, gene] = [Math.floor(i / genes), i % genes];
    for (let axis = 0; axis < width; axis++)
      part[i]! += places[cell * width + axis]! * components[axis]![gene]!;
  }
  return part;
}

function meanOfRows(values: Float64Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]! / (values.length / width);
  return mean;
}
