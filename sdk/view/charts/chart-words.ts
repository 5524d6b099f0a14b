/** What stands around a chart; each has a default made from the data. */
export interface ChartWords {
  title?: string;
  /** the text where no picture can be drawn */
  finding?: string;
  alt?: string;
}

/** Rows of a chart with one mark an expert: 61 layers of 257 experts, with their groups. */
export const LARGEST_MODEL = 32_000;
