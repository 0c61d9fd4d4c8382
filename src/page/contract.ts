// Every request that the page sends, and every answer that it gets: types alone, which the server and the page both import. They stand
// by themselves, so that the page needs nothing else of the package.
//
// A request without `Authorization: Bearer <token>` is answered with 401, one from another site or by another name of the server with
// 403, and each that fails with `Failure`. `:run` is the name of a folder directly below the folder of runs, `encodeURIComponent`ed.
//
//     GET  /api/runs                        RunList
//     GET  /api/runs/:run                   RunDetails
//     GET  /api/runs/:run/series            SeriesAnswer; query: SeriesQuery
//     GET  /api/runs/:run/live              text/event-stream of LiveEvents; header Last-Event-ID: a LivePosition to go on from
//     GET  /api/runs/:run/samples/:file     image/png
//     GET  /api/runs/:run/asked/:file       image/png: samples that were asked for while it trained
//     GET  /api/runs/:run/preview           image/png: the first samples that this run reads, drawn at the first request
//     GET  /api/machine                     MachineAnswer
//     GET  /api/compare?runs=a&runs=b       Comparison
//     GET  /api/recipes                     RecipeList
//     POST /api/runs/:run/steer             SteerRequest -> SteeringEvent
//     POST /api/runs/:run/sample            SampleRequest -> JobStarted, a job of SampleResult
//     POST /api/runs/:run/path              PathRequest -> JobStarted, a job of PathResult
//     POST /api/runs/:run/straightness      -> JobStarted, a job of StraightnessResult
//     POST /api/start                       ConfigRequest -> StartedTraining
//     GET  /api/started                     StartedList
//     POST /api/doctor                      ConfigRequest -> JobStarted, a job of DoctorResult
//     POST /api/plan                        PlanRequest -> JobStarted, a job of PlanResult
//     POST /api/data/check                  ConfigRequest -> JobStarted, a job of DataCheckResult
//     GET  /api/jobs                        JobList
//     GET  /api/jobs/:id                    Job; with Accept: text/event-stream, a stream of JobEvents that ends with the job
//     GET  /api/jobs/:id/picture            image/png: of a job of samples or of a path that is done
//     DELETE /api/jobs/:id                  Job; stops it
export type * from './contract/common.ts';
export type * from './contract/runs.ts';
export type * from './contract/series.ts';
export type * from './contract/live.ts';
export type * from './contract/settings.ts';
export type * from './contract/steering.ts';
export type * from './contract/jobs.ts';
