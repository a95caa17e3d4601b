//! Callbacks: a service that runs a job for a person writes the result with a credential of the run. A Lambda function of that
//! service, its validator, says whether the credential is valid, and for whom and what (contract §1.7).

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use aws::{CallLimits, JsonClient};
use packages::id::{DatasetNodeId, UserNodeId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{AuthenticationError, InvalidToken, credential::CallbackCredential, db::CallbackIdentity};

/// The limits of one validation. The gateway waits ten seconds for its authorizer.
const CALL_LIMITS: CallLimits = CallLimits {
    attempts: 2,
    attempt_timeout: Duration::from_secs(3),
    total_timeout: Duration::from_secs(5),
};

/// How many validations run at once. Anybody can ask for one, and each is a run of the function.
const MAX_VALIDATIONS: usize = 16;

/// The validators of callbacks. Without any, no callback is valid.
#[derive(Debug, Clone, Default)]
pub struct CallbackValidators(Option<ConfiguredValidators>);

#[derive(Debug, Clone)]
struct ConfiguredValidators {
    client: JsonClient,
    functions: Arc<CallbackFunctions>,
    permits: Arc<Semaphore>,
}

/// The function that validates the callbacks of each service, by the service's name.
pub type CallbackFunctions = BTreeMap<String, FunctionArn>;

/// The ARN of a Lambda function, with or without a version or an alias (Service Authorization Reference, "Actions, resources,
/// and condition keys for AWS Lambda").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionArn(String);

impl FunctionArn {
    /// Parses `arn:{partition}:lambda:{region}:{account}:function:{name}`, perhaps with `:{version or alias}`.
    #[must_use]
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let is_word = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_$".contains(&byte))
        };
        let is_function = parts.first() == Some(&"arn")
            && parts.get(2) == Some(&"lambda")
            && parts.get(5) == Some(&"function");
        (is_function && matches!(parts.len(), 7 | 8) && parts.iter().all(is_word))
            .then(|| Self(arn.to_owned()))
    }

    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The function's region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The result of a validator.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValidationResult {
    is_authorized: bool,
    user_node_id: Option<String>,
    organization_node_id: Option<String>,
    dataset_node_id: Option<String>,
}

impl CallbackValidators {
    /// Validates callbacks with these functions.
    #[must_use]
    pub fn new(client: JsonClient, functions: CallbackFunctions) -> Self {
        let client = client.with_limits(CALL_LIMITS);
        let permits = Arc::new(Semaphore::new(MAX_VALIDATIONS));
        let functions = Arc::new(functions);
        Self((!functions.is_empty()).then_some(ConfiguredValidators { client, functions, permits }))
    }

    /// Asks the service's validator for the person and the dataset of a callback. One call to Lambda.
    pub(crate) async fn validate(
        &self,
        credential: &CallbackCredential,
    ) -> Result<CallbackIdentity, AuthenticationError> {
        let CallbackCredential { service, run, token } = credential;
        let validators = self.0.as_ref().ok_or(InvalidToken::Callback)?;
        let function = validators.functions.get(service).ok_or(InvalidToken::Callback)?;
        let Ok(_permit) = validators.permits.try_acquire() else {
            return Err(unavailable(service, "too many validations are running"));
        };
        let input = json!({ "callbackToken": token, "executionRunId": run });
        let output = validators.client.invoke(function.as_str(), &input).await;
        let output = output.map_err(|error| unavailable(service, &error.to_string()))?;
        read_result(output).map_err(|cause| unavailable(service, cause))?.ok_or(InvalidToken::Callback.into())
    }
}

/// `None`: the callback is not valid. The error says what is wrong with the result.
fn read_result(output: Value) -> Result<Option<CallbackIdentity>, &'static str> {
    const MALFORMED: &str = "the result is malformed";
    let result: ValidationResult = serde_json::from_value(output).map_err(|_| MALFORMED)?;
    if !result.is_authorized {
        return Ok(None);
    }
    let user = result.user_node_id.and_then(|id| UserNodeId::parse(&id).ok()).ok_or(MALFORMED)?;
    let dataset = result.dataset_node_id.and_then(|id| DatasetNodeId::parse(&id).ok()).ok_or(MALFORMED)?;
    let workspace_node_id = result.organization_node_id.filter(|id| !id.is_empty()).ok_or(MALFORMED)?;
    Ok(Some(CallbackIdentity { user, workspace_node_id, dataset }))
}

fn unavailable(service: &str, error: &str) -> AuthenticationError {
    tracing::error!(service, error, "a callback could not be validated");
    AuthenticationError::ValidatorUnavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_arn_names_its_region() {
        for arn in [
            "arn:aws:lambda:us-east-1:123456789012:function:validate",
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:validate_it:live",
            "arn:aws:lambda:us-east-1:123456789012:function:validate:$LATEST",
        ] {
            let parsed = FunctionArn::parse(arn).unwrap();
            assert_eq!((parsed.as_str(), parsed.region()), (arn, arn.split(':').nth(3).unwrap()));
        }
        for other in [
            "",
            "validate",
            "arn:aws:s3:us-east-1:1:function:x",
            "arn:aws:lambda:us-east-1:1:layer:x",
            "arn:aws:lambda:us-east-1:1:function:",
            "arn:aws:lambda:us-east-1:1:function:a/../b",
            "arn:aws:lambda:us-east-1:1:function:a:b:c",
        ] {
            assert_eq!(FunctionArn::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_result_names_person_workspace_and_dataset() {
        let valid = json!({
            "isAuthorized": true, "userNodeId": "N:user:1", "organizationNodeId": "N:organization:1", "datasetNodeId": "N:dataset:1",
        });
        assert_eq!(read_result(valid.clone()).unwrap().unwrap().dataset.as_str(), "N:dataset:1");
        assert_eq!(read_result(json!({"isAuthorized": false, "error": "expired"})), Ok(None));
        for member in ["userNodeId", "organizationNodeId", "datasetNodeId"] {
            for value in [Value::Null, json!(""), json!(7)] {
                let mut changed = valid.clone();
                changed[member] = value;
                assert!(read_result(changed).is_err(), "{member}");
            }
        }
        for malformed in [json!(null), json!({}), json!({"isAuthorized": "true"}), json!([])] {
            assert!(read_result(malformed).is_err());
        }
    }
}
