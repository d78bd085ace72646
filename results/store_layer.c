/* What a trainer says of its network's layers. */
#include "results/store.h"

#include "base/err.h"
#include "results/store_internal.h"

int store_put_layer(struct store *store, int64_t trial, const struct store_layer *layer,
                    bool replace, struct err *err) {
    int rc = store_check_writing(store, err);
    sqlite3_stmt *stmt =
        rc == ERR_OK ? store_stmt(store, replace ? STMT_LAYER_SET : STMT_LAYER_ADD, err) : NULL;
    if (stmt == NULL) {
        return err->code;
    }
    (void)sqlite3_bind_int64(stmt, 1, trial);
    (void)sqlite3_bind_int(stmt, 2, layer->epoch);
    store_bind_text(stmt, 3, layer->name);
    (void)(layer->position < 0 ? sqlite3_bind_null(stmt, 4)
                               : sqlite3_bind_int(stmt, 4, layer->position));
    for (int i = 0; i < STORE_LAYER_NUMBER_COUNT; i++) {
        store_bind_number(stmt, 5 + i, layer->number[i]);
    }
    store_bind_text(stmt, 5 + STORE_LAYER_NUMBER_COUNT, layer->histogram);
    store_bind_text(stmt, 6 + STORE_LAYER_NUMBER_COUNT, layer->gradient_histogram);
    rc = store_run(store, stmt, err);
    store_bind_text(stmt, 3, NULL); // the texts are the caller's, and the statement is kept
    store_bind_text(stmt, 5 + STORE_LAYER_NUMBER_COUNT, NULL);
    store_bind_text(stmt, 6 + STORE_LAYER_NUMBER_COUNT, NULL);
    return rc;
}
