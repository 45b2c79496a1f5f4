//! Sendbox: a WebAssembly-component connector runtime for one-time codes and links.
//!
//! The modules are floors; each imports only the floors above it in this list:
//!
//! | floor | modules |
//! |---|---|
//! | words | [`time`] [`id`] [`json`] [`message`] [`outcome`] [`attempt`] [`secret`] [`settings`] [`redaction`] [`about`] [`built_in`] [`tenant`] [`template`] [`source`] [`limits`] [`counts`] [`email_service`] [`fault`] |
//! | outside | [`store`] [`egress`] |
//! | guests | [`connector`] |
//! | delivery | [`replay`] [`delivery`] [`admission`] |
//! | doors | [`api`] [`front_doors`] [`config`] [`server`] [`authoring`] [`cli`] |

pub mod about;
pub mod attempt;
pub mod built_in;
pub mod counts;
pub mod email_service;
pub mod fault;
pub mod id;
pub mod json;
pub mod limits;
pub mod message;
pub mod outcome;
pub mod redaction;
pub mod secret;
pub mod settings;
pub mod source;
pub mod template;
pub mod tenant;
pub mod time;

pub mod egress;
pub mod store;

pub mod connector;
pub mod replay;

pub mod admission;
pub mod delivery;

pub mod api;
pub mod authoring;
pub mod cli;
pub mod config;
pub mod front_doors;
pub mod server;
