//! The part of the API definition about people: how requests show who asks, sessions, users, tokens, the record.

use serde_json::{Map, Value, json};

use super::openapi::query_parameter;

/// Adds to the definition of a server that has people how requests show who asks, and what is about people.
pub(super) fn add_to(definition: &mut Value) {
    // Reading at one's own machine needs nothing.
    definition["security"] = json!([{}, { "bearer": [] }, { "token": [] }]);
    definition["components"]["securitySchemes"] = ways_in();
    if let Some(tags) = definition["tags"].as_array_mut() {
        tags.push(
            json!({ "name": "people", "description": "Who may sign in and what they may do; tokens; the record" }),
        );
    }
    if let Some(all) = definition["paths"].as_object_mut() {
        all.extend(paths());
    }
}

/// How a request may show who asks.
fn ways_in() -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "A token that mutu user token printed." },
        "token": {
            "type": "apiKey", "in": "query", "name": "token",
            "description": "The same token in the address; every link of the answer then carries it.",
        },
    })
}

/// Paths about people.
fn paths() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let credentials = body(&json!({ "name": text, "password": text }), &["name", "password"]);
    let passwords = body(&json!({ "current": text, "new": text }), &["current", "new"]);
    let rights = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "read": { "type": "array", "items": { "type": "string" } },
            "edit": { "type": "array", "items": { "type": "string" } },
            "rows": { "type": "object", "additionalProperties": { "type": "string" } },
        },
        "description": "Layers that may be read and changed, all where not given; for a layer the CQL2 filter of the rows \
                        that may be seen. They bind readers and editors.",
    });
    let role = json!({ "type": "string", "enum": ["reader", "editor", "manager", "administrator"] });
    let subject = json!({
        "type": "object", "additionalProperties": false, "required": ["issuer", "subject"],
        "description": "Who they are at an identity provider (OpenID Connect): its address, and their sub there.",
        "properties": { "issuer": text, "subject": text },
    });
    let mut no_subject = subject.clone();
    no_subject["nullable"] = json!(true);
    let user = json!({ "name": text, "role": role, "password": text, "rights": rights, "oidc": subject });
    let changed = json!({
        "role": role, "password": text, "rights": rights, "disabled": { "type": "boolean" }, "oidc": no_subject,
    });
    let token = json!({
        "name": text, "role": role, "rights": rights, "user": { "type": "string", "nullable": true },
        "days": { "type": "integer", "minimum": 0 },
    });
    let name = path_parameter("name", &text);
    let id = path_parameter("id", &json!({ "type": "integer" }));
    let mut get_audit = operation("listAudit", "The record: changes, sign-ins, refusals", ("200", true), None);
    get_audit["parameters"] = json!([query_parameter(&super::users::LIMIT)]);
    let all = json!({
        "/session": {
            "get": operation("readSession", "Who asks, and what they may do", ("200", true), None),
            "post": operation("beginSession", "Sign in with a name and a password", ("200", true), Some(&credentials)),
            "delete": operation("endSession", "Sign out", ("204", false), None),
        },
        "/session/password": {
            "post": operation("changePassword", "Change one's own password", ("204", false), Some(&passwords)),
        },
        "/users": {
            "get": operation("listUsers", "Everybody", ("200", true), None),
            "post": operation("createUser", "Add somebody", ("201", true), Some(&body(&user, &["name", "role"]))),
        },
        "/users/{name}": {
            "parameters": [name],
            "patch": operation("updateUser", "Change somebody", ("200", true), Some(&body(&changed, &[]))),
            "delete": operation("deleteUser", "Remove somebody", ("204", false), None),
        },
        "/tokens": {
            "get": operation("listTokens", "One's own tokens; all for administrators", ("200", true), None),
            "post": operation("createToken", "Make a token", ("201", true), Some(&body(&token, &["name", "role"]))),
        },
        "/tokens/{id}": {
            "parameters": [id],
            "delete": operation("deleteToken", "End a token", ("204", false), None),
        },
        "/audit": { "get": get_audit },
    });
    all.as_object().cloned().unwrap_or_default()
}

fn body(properties: &Value, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn path_parameter(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn operation(id: &str, summary: &str, (status, has_body): (&str, bool), body: Option<&Value>) -> Value {
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    let mut done = json!({ "description": summary });
    if has_body {
        done["content"] = json!({ "application/json": { "schema": { "type": "object" } } });
    }
    let mut described = json!({
        "operationId": id, "tags": ["people"], "summary": summary,
        "responses": { status: done, "400": problem, "401": problem, "403": problem, "default": problem },
    });
    if let Some(body) = body {
        described["requestBody"] = body.clone();
    }
    described
}
