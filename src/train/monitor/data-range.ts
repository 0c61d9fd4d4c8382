import { describeRange } from '../../data/value-range.ts';
import type { Detector } from './detector.ts';

export const dataRange: Detector = (_, { values }) => values && describeRange(values, 'the first batch');
