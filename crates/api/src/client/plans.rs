//! Jobs files: what they would change, letting jobs be as they say, and jobs as such a file.

use super::{Answered, Job, Project};
use crate::live::{Dump, DumpAsk};
use crate::paths;
use crate::plan::{Applied, ApplyAsk, Plan, PlanAsk, Preview, PreviewAsk};

/// The kind of a jobs file.
const YAML: &str = "application/yaml";

impl Project<'_> {
    /// All of its jobs as a jobs file, YAML.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn export(&self) -> Answered<String> {
        self.client.get(paths::PROJECT_EXPORT, &[self.name]).text().await
    }

    /// What jobs files would change; `files` is YAML, with `---` between several. Nothing is written.
    ///
    /// # Errors
    /// `bad-yaml`, `invalid`.
    pub async fn plan(&self, ask: &PlanAsk, files: &str) -> Answered<Plan> {
        let call = self.client.post(paths::PROJECT_PLAN, &[self.name]).query(ask);
        call.text_body(YAML, files.to_owned()).json().await
    }

    /// Lets jobs be as files say: as the plan of this basis has shown it, or as it is found.
    ///
    /// # Errors
    /// `plan-stale`, with the new plan; `diverged`, `owned-by`, `managed-by-console`, `code-not-allowed` and others that stand against it.
    pub async fn apply(&self, ask: &ApplyAsk, files: &str) -> Answered<Applied> {
        let call = self.client.post(paths::PROJECT_APPLY, &[self.name]).query(ask);
        call.text_body(YAML, files.to_owned()).json().await
    }
}

impl Job<'_> {
    /// It as a jobs file, YAML.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn yaml(&self) -> Answered<String> {
        self.client.get(paths::JOB_YAML, &self.names).text().await
    }

    /// What other settings of it would change. Nothing is written.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn preview(&self, ask: &PreviewAsk) -> Answered<Preview> {
        self.client.post(paths::JOB_PREVIEW, &self.names).body(ask).json().await
    }

    /// Its nodes as text; with addresses only for those who may see them.
    ///
    /// # Errors
    /// `not-allowed`, `registry-away`.
    pub async fn dump(&self, ask: &DumpAsk) -> Answered<Dump> {
        self.client.get(paths::JOB_DUMP, &self.names).query(ask).json().await
    }
}
