/* stub - a trial that takes no time: ten epoch records, and it ends.  With what bench/scheduling measures. */
#include <string.h>
#include <unistd.h>

static const char said[] = "{\"epoch\": 1, \"val_accuracy\": 0.1}\n"
                           "{\"epoch\": 2, \"val_accuracy\": 0.2}\n"
                           "{\"epoch\": 3, \"val_accuracy\": 0.3}\n"
                           "{\"epoch\": 4, \"val_accuracy\": 0.4}\n"
                           "{\"epoch\": 5, \"val_accuracy\": 0.5}\n"
                           "{\"epoch\": 6, \"val_accuracy\": 0.6}\n"
                           "{\"epoch\": 7, \"val_accuracy\": 0.7}\n"
                           "{\"epoch\": 8, \"val_accuracy\": 0.8}\n"
                           "{\"epoch\": 9, \"val_accuracy\": 0.9}\n"
                           "{\"epoch\": 10, \"val_accuracy\": 1}\n";

int main(void) {
    return write(STDOUT_FILENO, said, strlen(said)) == (ssize_t)strlen(said) ? 0 : 1;
}
