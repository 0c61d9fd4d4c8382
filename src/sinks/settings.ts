/** Where a run's metrics go beside metrics.jsonl. Secrets are no settings: they come from the environment. */
export interface SinksConfig {
  /** Event files in the run's folder. */
  readonly tensorboard: boolean;
  /** Weights & Biases; the environment has WANDB_API_KEY. */
  readonly wandb?: WandbConfig;
  /** An MLflow tracking server; the environment may have MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD. */
  readonly mlflow?: MlflowConfig;
}

export interface WandbConfig {
  readonly project: string;
  /** A user or a team; by default the one that the key belongs to. */
  readonly entity?: string;
  /** Of a server of one's own; by default WANDB_BASE_URL of the environment, or https://api.wandb.ai. */
  readonly url?: string;
}

export interface MlflowConfig {
  /** Of the tracking server, as in http://localhost:5000. */
  readonly url: string;
  /** Its name; it is made where it is not there. */
  readonly experiment: string;
}
