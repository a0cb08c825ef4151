//! The document, and answers held against it.

use jsonschema::Draft;
use serde_json::{Value, json};

use crate::server::{Answer, Server};

/// The document, stricter than it is given out: a key that no schema names fails. Clients must
/// bear with such keys; we must describe them.
pub(super) struct Document {
    pub(super) json: Value,
}

impl Document {
    pub(super) async fn of(server: &Server) -> Self {
        let mut json = server.get("/openapi.json").await.expect(200).json();
        let schemas = json["components"]["schemas"].as_object_mut().unwrap();
        for (_, schema) in schemas.iter_mut().filter(|(name, _)| !name.starts_with("Scim")) {
            if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
                schema["additionalProperties"] = false.into();
            }
        }
        Self { json }
    }

    /// All operations: path, method and what is said of them.
    pub(super) fn operations(&self) -> Vec<(&str, &str, &Value)> {
        let paths = self.json["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        });
        operations.collect()
    }

    /// Sees to it that an answer is among those that are described for it, body and all.
    #[track_caller]
    pub(super) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let place = format!("{method} {path} {}", answer.status);
        let operation = &self.json["paths"][path][method];
        assert!(operation.is_object(), "{place} is not described");
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{place} is not described: {answer:?}");
        for (name, header) in described["headers"].as_object().into_iter().flatten() {
            let is_there = !answer.header(name).is_empty() || header["required"] != true;
            assert!(is_there, "{place} has no {name}: {answer:?}");
        }
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body.is_empty(), "{place} has a body that is not described: {answer:?}");
            return;
        };
        let media_type = answer.header("content-type").split(';').next().unwrap();
        let content = content.get(media_type);
        let content = content.unwrap_or_else(|| panic!("{place}: {media_type} is not described"));
        // JSON lines are many documents, not one.
        if media_type == "application/json" || media_type.ends_with("+json") {
            self.validate(&place, &content["schema"], &answer.json());
        }
    }

    /// Sees to it that a body has an example, of its own or by its schema, that fits.
    #[track_caller]
    pub(super) fn check_example(&self, place: &str, content: &Value) {
        let schema = &content["schema"];
        if let Some(example) = content.get("example") {
            return self.validate(place, schema, example);
        }
        // Of what is free in form there is none to give.
        let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) else {
            return;
        };
        let schemas = &self.json["components"]["schemas"];
        // A page is as good as what is on it.
        let item = schemas[name]["properties"]["items"]["items"]["$ref"].as_str();
        let name = item.and_then(|item| item.rsplit('/').next()).unwrap_or(name);
        let one_of = schemas[name]["oneOf"].as_array();
        let all = one_of.into_iter().flatten().filter_map(|one| one["$ref"].as_str());
        let mut names: Vec<&str> = all.filter_map(|one| one.rsplit('/').next()).collect();
        if names.is_empty() {
            names.push(name);
        }
        for name in names {
            assert!(schemas[name]["examples"][0].is_object(), "{place}: {name} has no example");
        }
    }

    /// Sees to it that a value is what a schema of this document says.
    #[track_caller]
    pub(super) fn validate(&self, place: &str, schema: &Value, value: &Value) {
        // References point into the document, which therefore stands in the schema.
        let schema = json!({"allOf": [schema], "components": self.json["components"]});
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        let validator = options.should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{place}: {errors:#?}\n{value:#}");
    }
}
