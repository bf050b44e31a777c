//! Operations that only a driver can perform, and their results.

use alloc::sync::Arc;

use super::asset_error::AssetError;
use super::listing::Listing;
use super::rendering::Rendering;
use super::site_path::SitePath;
use crate::http::{Encodings, ErrorResponse, Step};
use crate::store::{Query, Reply, StoreDown};

/// An operation for the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Open a file, in one of these codings if possible: complete with [`Completion::Opened`].
    Open(SitePath, Encodings),
    /// List a page of a folder, counted from 1: complete with [`Completion::Listed`].
    List(SitePath, u32),
    /// Ask the store: complete with [`Completion::Answered`].
    Ask(Query),
}

/// The result of an [`Operation`]. `F` is the driver's handle to an open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion<F> {
    /// The file, or why it can't be served.
    Opened(Result<F, AssetError>),
    /// The page of a listing, or why there is none.
    Listed(Result<Arc<Listing>, AssetError>),
    /// The page of a listing is not ready yet. The core then wants the same page again; meanwhile
    /// the driver can serve other clients.
    ListAgain,
    /// The store's reply, or why there is none.
    Answered(Result<Reply, StoreDown>),
}

/// The next step of a request, or its error response.
pub(super) type Next<F> = Result<Step<F, Operation, Rendering>, ErrorResponse>;
